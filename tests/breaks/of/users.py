"""Breaks of the first user."""

from tests.breaks.model import Boot, Break, sed

MAKE = "/usr/lib/tau/make-user"
#: The making is cut short where all is checked, so that nobody has to be made for a check to see that.
_STOP = 's/^mkdir -p "\\$marks"$/exit 0/'
#: Steps of other overlays are left out: a home that is encrypted takes its time, and is a case of its own.
_QUICK = "mount -t tmpfs none /usr/lib/tau/first-user.d; "
_ACCEPT = "sed -i '1i auth sufficient pam_exec.so expose_authtok quiet /bin/true' /etc/pam.d/common-auth"

BREAKS = [
    Break(
        "test_the_user_of_the_credentials_is_an_ordinary_one",
        "a shell that nobody wants",
        "shell ==",
        guest="usermod --shell /usr/sbin/nologin tester",
    ),
    Break(
        "test_the_user_of_the_credentials_is_an_ordinary_one",
        "one group more",
        "user.groups",
        guest="gpasswd --add tester adm",
    ),
    Break(
        "test_the_user_of_the_credentials_is_an_ordinary_one",
        "a home that others may read",
        "0o700|448|493",
        guest="chmod 0755 /home/tester",
    ),
    Break(
        "test_the_user_of_the_credentials_is_an_ordinary_one",
        "a second user",
        "getent passwd",
        guest="useradd --no-create-home second",
    ),
    Break(
        "test_the_user_logs_in_on_the_console_and_has_no_privilege",
        "the user has root's number, and root may log in",
        "uid=0",
        guest="sed -i '/uid != 0/d' /etc/pam.d/common-account; sed -i 's/^tester:x:[0-9]*:/tester:x:0:/' /etc/passwd",
    ),
    Break(
        "test_the_user_logs_in_on_the_console_and_has_no_privilege",
        "anybody may write to /etc",
        "status != 0",
        guest="chmod 1777 /etc",
    ),
    Break(
        "test_a_wrong_password_gives_no_shell",
        "any password is taken",
        "not terminal.try_log_in",
        guest=_ACCEPT,
    ),
    Break(
        "test_twice_is_refused_and_changes_nothing",
        "no refusal",
        "expected to fail",
        guest=sed(MAKE, 's/refuse "the first user exists already"/exit 0/'),
    ),
    Break(
        "test_twice_is_refused_and_changes_nothing",
        "a refusal that leaves something behind",
        "== before",
        guest=sed(MAKE, "s/^refuse\\(\\) \\{/& echo >>\\/etc\\/group;/"),
    ),
    Break(
        ("test_hostile_names_and_passwords[root-long enough-belongs to the system]",),
        "names of the system are taken",
        "status == 2",
        guest=sed(MAKE, "s/.*belongs to the system.*/exit 0/"),
    ),
    Break(
        (
            "test_hostile_names_and_passwords[../x-long enough-a user name has]",
            "test_hostile_names_and_passwords[-x-long enough-a user name has]",
            "test_hostile_names_and_passwords[A-long enough-a user name has]",
            "test_hostile_names_and_passwords[a b-long enough-a user name has]",
            "test_hostile_names_and_passwords[" + "x" * 40 + "-long enough-a user name has]",
        ),
        "any name is taken",
        "status == 2",
        guest=sed(MAKE, "/a user name has/d", _STOP),
    ),
    Break(
        "test_hostile_names_and_passwords[ok-short-at least 8]",
        "short passwords are taken",
        "status == 2",
        guest=sed(MAKE, "/at least/d", _STOP),
    ),
    Break(
        "test_hostile_names_and_passwords[ok-with\\x07bell-control character]",
        "control characters are taken",
        "status == 2",
        guest=sed(MAKE, "/control character/d", _STOP),
    ),
    Break(
        "test_what_a_power_cut_left_is_made_anew",
        "what was begun is not looked at",
        "id tester",
        guest=_QUICK + sed(MAKE, "s/^if \\[\\[ -s \\$marks\\/pending \\]\\]/if false/"),
    ),
    Break(
        "test_what_a_power_cut_left_is_made_anew",
        "the old home stays",
        "/home/tester",
        guest=_QUICK + sed(MAKE, "/rm -rf --one-file-system/d"),
    ),
    Break(
        (
            "test_what_a_power_cut_left_of_the_accounts_is_no_obstacle[: >/etc/passwd.lock]",
            "test_what_a_power_cut_left_of_the_accounts_is_no_obstacle[printf 1 >/etc/gshadow.lock]",
        ),
        "locks that are left over stay",
        "make-user second",
        guest=_QUICK + sed(MAKE, "/rm -f .etc.\\{passwd/d"),
    ),
    Break(
        "test_what_a_power_cut_left_of_the_accounts_is_no_obstacle"
        "[cp /etc/passwd /etc/passwd+; printf 999999 >/etc/passwd.999999]",
        "half-written copies stay",
        "ls -d",
        guest=_QUICK + sed(MAKE, "/rm -f .etc.\\{passwd/d"),
    ),
    Break(
        "test_what_a_power_cut_left_of_the_accounts_is_no_obstacle[sed -i /^tester:/d /etc/passwd /etc/shadow]",
        "a group without its user stays",
        "people == .second.",
        guest=_QUICK + sed(MAKE, "/then groupdel/d"),
    ),
    Break(
        "test_a_system_user_that_a_newer_image_has_comes_back_with_its_number",
        "the image has no list of its users",
        "id .user.",
        guest="mount --bind /dev/null /usr/lib/sysusers.d/00-tau-image.conf",
    ),
    Break(
        "test_a_system_user_that_a_newer_image_has_comes_back_with_its_number",
        "the list has another number",
        "== before",
        guest=sed("/usr/lib/sysusers.d/00-tau-image.conf", "s/^u games 5:/u games 505:/"),
    ),
    Break(
        "test_somebody_at_the_console_is_asked",
        "nobody is asked",
        "answer",
        boot=Boot(command=sed("/usr/lib/tau/first-user-console", "s/^while .*/while false; do/")),
    ),
    Break(
        "test_somebody_at_the_console_is_asked",
        "the first user is in no group",
        "sudo",
        boot=Boot(command=sed(MAKE, '/--groups/s/--groups "[a-z,]*"//')),
    ),
    Break(
        "test_somebody_at_the_console_is_asked",
        "a console that waits does not learn of a user who was made on another",
        "login:",
        boot=Boot(command=sed("/usr/lib/tau/first-user-console", "s/if .. -e .*done ..; then/if false; then/")),
    ),
]
WITHOUT: dict[str, str] = {}
