# Count what an app could leave behind; a line for each kind, with its number: started as root.
set -u
for kind in cgroup ipc mnt net pid user uts; do
    # A process that ends meanwhile has none any more.
    echo "namespaces ($kind): $(readlink /proc/[0-9]*/ns/$kind 2>/dev/null | sort -u | wc -l)"
done
echo "network devices: $(find /sys/class/net -mindepth 1 | wc -l)"
echo "mounts: $(wc -l </proc/1/mountinfo)"
echo "units of apps and of what serves them: $(systemctl list-units --all --plain --no-legend --no-pager \
    'app-tau-*' 'apps-*' 'tau-*@*' 'tau-log-*' 'tau-reader-*' | wc -l)"
echo "control groups: $(find /sys/fs/cgroup -type d | wc -l)"
echo "AppArmor profiles: $(wc -l </sys/kernel/security/apparmor/profiles)"
echo "elements of nftables' sets and maps: $(nft --json list ruleset | python3 -c '
import json, sys
objects = json.load(sys.stdin)["nftables"]
print(sum(len(what.get("elem", [])) for each in objects for what in each.values()))')"
echo "lines of nftables' rules: $(nft --stateless list ruleset | wc -l)"
echo "files below /run/tau: $(find /run/tau -xdev | wc -l)"
echo "loop devices in use: $(losetup --list --noheadings | wc -l)"
echo "device-mapper devices: $(find /sys/class/block -name 'dm-*' | wc -l)"
# Not the kernel's own, which come and go.
echo "processes: $(readlink /proc/[0-9]*/exe 2>/dev/null | wc -l)"
