"""Breaks of files and devices by consent, and of the samples that use them."""

from tests.breaks.model import Break
from tests.breaks.of._sandboxd_edits import edited

FILES = [
    Break(
        "test_folders_are_asked_for_at_the_start",
        "they are attached, whatever the answer is",
        "not in",
        guest=edited("helper/attach", "s/attached_of(app.wanted & app.permissions)/attached_of(app.permissions)/"),
    ),
    Break(
        "test_hidden_files_stay_out_of_reach",
        "the profile denies nothing of what is attached",
        "== free",
        guest=edited("helper/app_profile", 's/ yield f"deny/ f"deny/'),
    ),
    Break(
        "test_what_is_revoked_is_gone_whoever_keeps_it_open",
        "what is attached stays so",
        "by its path",
        guest=edited("helper/mounts", "s/^    if library.umount2.*/    if False:/"),
    ),
    Break(
        "test_a_camera",
        "nobody asks for it",
        "== 0",
        guest=edited("begin", "s/^            request(permission)/            pass/"),
    ),
    Break(
        "test_devices_that_are_revoked",
        "what is revoked is not written down",
        "what is open",
        guest=edited("helper/attachments", "s/ else now.wanted & ~bit/ else now.wanted/"),
    ),
    Break(
        "test_a_folder_of_ones_own_choice",
        "a hidden one will do",
        r"\.secret",
        guest=edited("folders", 's/ and not part.startswith(".")//'),
    ),
    Break(
        "test_nobody_asks_in_anothers_name",
        "whoever asks may",
        "True",
        guest=edited(
            "daemon/portal", "s/^    return found if group == .*/    return next(instances.running.every(), None)/"
        ),
    ),
    Break(
        "test_a_sandboxd_that_is_killed_holds_to_what_was_decided",
        "the next begins as if nothing had been decided",
        "mountinfo",
        guest=edited("daemon/hold", "s/^        for each in found:/        for each in []:/"),
    ),
    Break(
        "test_a_media_converter",
        "its files are there, whatever the answer is",
        "status == 1",
        guest=edited("helper/attach", "s/attached_of(app.wanted & app.permissions)/attached_of(app.permissions)/"),
    ),
    Break(
        "test_a_media_converter",
        "a file keeps the name that its user gives it",
        "== 0",
        guest=edited("command_run", "s/user_folders.handed_on(word, places)/word/"),
    ),
]
