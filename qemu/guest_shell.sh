# The guest end of qemu/shell.py, started by a unit that a credential brings (qemu/credentials.py).
# Bash and coreutils alone, since an image need not have Python. It talks on a virtio serial port and on nothing else.
# From the host:  SYNC NONCE | RUN NONCE TIMEOUT COMMAND_BYTES INPUT_BYTES, newline, the command, the input
# To the host:    HELLO BOOT_ID | SYNC NONCE | DONE NONCE STATUS STDOUT_BYTES STDERR_BYTES START END, newline, both outputs
set -f
umask 022
port=/dev/virtio-ports/org.tauos.test.shell
dir=/run/tau-test-shell
mkdir -p -m 0700 "$dir"
cd /
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb
# Commands are to look as if root had typed them, not as if a service ran them.
unset INVOCATION_ID JOURNAL_STREAM SYSTEMD_EXEC_PID CREDENTIALS_DIRECTORY MEMORY_PRESSURE_WATCH MEMORY_PRESSURE_WRITE
until [[ -e $port ]]; do sleep 0.2; done
until { exec 3<>"$port"; } 2>/dev/null; do sleep 0.2; done
read -r boot </proc/sys/kernel/random/boot_id
printf 'HELLO %s\n' "$boot" >&3
n=0
while :; do
    # End of file means that nobody is connected on the host's side right now.
    if ! IFS=' ' read -r verb nonce limit size input rest <&3; then
        sleep 0.2
        continue
    fi
    if [[ $verb == SYNC && $nonce ]]; then
        printf 'SYNC %s\n' "$nonce" >&3
    elif [[ $verb == RUN && $size =~ ^[0-9]+$ && $input =~ ^[0-9]+$ ]]; then
        n=$((n + 1))
        out=$dir/$n.out err=$dir/$n.err in=/dev/null command=
        LC_ALL=C IFS= read -r -d '' -N "$size" command <&3
        if ((input)); then
            in=$dir/$n.in
            head -c "$input" <&3 >"$in"
        fi
        read -r start _ </proc/uptime
        setsid --wait timeout --kill-after=5 "$limit" bash -c "$command" <"$in" >"$out" 2>"$err" 3>&-
        status=$?
        read -r end _ </proc/uptime
        # The sizes are taken once: what a process left in the background still writes must not shift the frame.
        sizes=$(stat -c %s "$out" "$err")
        so=${sizes%%[!0-9]*} se=${sizes##*[!0-9]}
        printf 'DONE %s %s %s %s %s %s\n' "$nonce" "$status" "$so" "$se" "$start" "$end" >&3
        if ((so)); then head -c "$so" "$out" >&3; fi
        if ((se)); then head -c "$se" "$err" >&3; fi
        rm -f "$out" "$err" "$dir/$n.in"
    fi
done
