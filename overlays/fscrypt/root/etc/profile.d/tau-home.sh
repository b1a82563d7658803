# shellcheck shell=sh
# Says in a login shell that the home is locked, as after a login by key, which brings no password.
if [ "$(id -u)" -ge 1000 ] && fscrypt status "$HOME" 2>/dev/null | grep -q '^Unlocked: *No'; then
    echo "Your home is locked: this login brought no password. To open it: fscrypt unlock ~ && cd ~" >&2
fi
