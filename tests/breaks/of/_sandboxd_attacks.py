"""Breaks of the checks that attack."""

from tests.breaks.model import Break
from tests.breaks.of._sandboxd_edits import edited, unit

ATTACKS = [
    Break(
        "test_processes_of_others",
        "processes have their numbers of outside",
        "going",
        guest=unit("app-tau-.service", "[Service]", "PrivatePIDs=no"),
    ),
    Break(
        "test_what_it_gets_hold_of_without_asking",
        "what starts it leaves a folder open",
        "files",
        guest=edited("helper/run", "s,break; }; done; exec,break; }; done; exec 9</usr; exec,"),
    ),
    Break(
        "test_doors_of_the_system",
        "it may reach the bus",
        "going",
        guest=edited("helper/app_profile", "s,^  include <abstractions/tau-app>,&\\n  /run/dbus/** rw\\,,")
        + "; "
        + unit("app-tau-.service", "[Service]", "BindReadOnlyPaths=/run/dbus"),
    ),
    Break(
        "test_names_that_change_while_root_attaches",
        "links are followed",
        "of-root",
        guest=edited("helper/mounts", "s/^_RESOLVE = .*/_RESOLVE = 0/"),
    ),
    Break(
        "test_a_sandboxd_that_was_taken_over_grants_what_is_declared_and_nothing_else",
        "what is not declared can be decided, too",
        "1 DONE",
        guest=edited("helper/decide", "s/^    if permission not in .*/    if False:/"),
    ),
    Break(
        "test_names_and_settings_are_nothing_else",
        "what others wrote is shown as it is",
        "x1b",
        guest=edited("findings", "s/^    return .*char.isprintable().*/    return text/"),
    ),
    Break(
        "test_manifests_that_no_honest_author_packs",
        "any character is text",
        "status == 1",
        guest=edited("manifest", "s/^        if not value.isprintable():/        if False:/"),
    ),
    Break(
        "test_nobody_speaks_for_sandboxd_or_for_the_bus",
        "whoever says that somebody has gone is believed",
        "done-0",
        guest=edited(
            "daemon/service",
            "s/message.sender, message.member) == (MessageType.SIGNAL, _BUS,/message.member) == (MessageType.SIGNAL,/",
        ),
    ),
    Break(
        "test_an_update_that_asks_for_more_has_to_ask",
        "to install is to grant",
        "decisions",
        guest=edited("command_install", 's/decided = {} if/decided = dict.fromkeys(new, "allow-always") if/'),
    ),
]
