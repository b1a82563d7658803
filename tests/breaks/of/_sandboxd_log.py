"""Breaks of what users are told: the journal, completion, manual pages."""

from tests.breaks.model import Break
from tests.breaks.of._sandboxd_edits import edited, unit

LOG = [
    Break(
        "test_what_an_app_has_done",
        "what the kernel has refused is not looked for",
        "refused",
        guest=edited("helper/log", 's/_AUDIT_FIELD_PROFILE", f/_AUDIT_FIELD_NAME", f/'),
    ),
    Break(
        "test_what_an_app_has_done",
        "nobody says whose a unit is",
        "begins",
        guest=edited("helper/run", 's/("LogExtraFields", f"{name}={value}")/("Environment", "X=1")/'),
    ),
    Break(
        "test_one_that_is_left_to_itself",
        "an app says itself how grave a line is",
        "all of you",
        guest=unit("app-tau-.service", "[Service]", "SyslogLevelPrefix=yes"),
    ),
    Break(
        "test_one_that_is_left_to_itself",
        "its bundle stays mounted",
        "test -z",
        guest=unit("tau-apps@.service", "[Service]", "ExecStop=", "ExecStop=true"),
    ),
    Break(
        "test_nobody_reads_anothers",
        "everybody's lines are shown",
        '== ""|mine',
        guest=edited("helper/log", 's/"_SYSTEMD_SLICE", instance.slice_of(uid)/"_TRANSPORT", "stdout"/'),
    ),
    Break(
        "test_nobody_reads_anothers",
        "whoever writes a line says whose it is",
        "forged",
        guest=edited("helper/log", 's/about = \\[("_PID", "1"), /about = [/'),
    ),
    Break(
        "test_words_are_completed",
        "the user's apps are not found",
        "denied always",
        guest=edited("command_list", "s/^    for app in apps.values():/    for app in []:/"),
    ),
    Break(
        "test_a_manual_page_is_there",
        "they are another version's",
        "assert",
        guest="cp -r /usr/share/man /run/man; sed -i s/app/program/ /run/man/man1/tau.1 /run/man/man5/manifest.tau.5;"
        " mount --bind /run/man /usr/share/man",
    ),
]
