# Make and install the app for Flatpak, with the smallest runtime in which it runs, as the user who is to run it.
# $1: a folder to do it in. $2: the app's id. $3: its program.
set -eu
arch=$(flatpak --default-arch)
runtime=org.example.Platform/$arch/1
mkdir "$1"
cd "$1"

mkdir -p runtime/files runtime/usr/bin app/files/bin app/export
cp -L /usr/bin/dash /usr/bin/true /usr/bin/sleep /usr/sbin/ldconfig runtime/usr/bin/
ln -s dash runtime/usr/bin/sh
ln -s bin runtime/usr/sbin
# Where each lies below /usr, as the programs name them.
for library in $(ldd /usr/bin/dash /usr/bin/true /usr/bin/sleep | grep -o '/[^ :]*\.so[^ ]*' | sort -u); do
    path=runtime/usr/${library#/}
    case $library in /usr/*) path=runtime$library ;; esac
    mkdir -p "${path%/*}"
    cp -L "$library" "$path"
done
printf '[Runtime]\nname=org.example.Platform\nruntime=%s\nsdk=%s\n' "$runtime" "$runtime" >runtime/metadata

cp "$3" app/files/bin/app
printf '[Application]\nname=%s\nruntime=%s\nsdk=%s\ncommand=app\n' "$2" "$runtime" "$runtime" >app/metadata

flatpak build-export --runtime repository runtime 1
flatpak build-export repository app 1
flatpak --user remote-add --no-gpg-verify here "file://$1/repository"
flatpak --user install --assumeyes --noninteractive here "$2//1"
