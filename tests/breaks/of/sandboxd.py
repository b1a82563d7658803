"""Breaks of sandboxd: a checker that takes everything, or that anybody can replace."""

from tests.breaks.model import Break
from tests.breaks.of._sandboxd_attacks import ATTACKS
from tests.breaks.of._sandboxd_edits import PACKAGE, edited, replaced, unit
from tests.breaks.of._sandboxd_files import FILES
from tests.breaks.of._sandboxd_log import LOG

_STORE = "/var/lib/tau/sandbox"
_POLICY = "/usr/share/dbus-1/system.d/org.tauos.Sandbox1.conf"


BREAKS = [
    Break(
        "test_the_seeds_manifest_is_taken_as_it_stands",
        "a permission of the seed's is none",
        "no findings",
        guest=edited("permissions", 's/"microphone",/"mic",/'),
    ),
    Break(
        "test_a_malformed_manifest_is_refused_with_line_and_reason",
        "an object may end with a comma",
        "expected a key",
        guest=edited("strict_json", 's/if self._peek() != .".:/if False:/'),
    ),
    Break(
        "test_a_malformed_manifest_is_refused_with_line_and_reason",
        "an unknown permission is taken",
        "is not a permission",
        guest=edited("manifest", "s/if name is None or name in PERMISSIONS:/if True:/"),
    ),
    Break(
        "test_what_a_user_has_set_does_not_change_the_command",
        "it heeds the environment",
        "no findings",
        guest=replaced("/usr/bin/tau", "sed -i '1s/ -IS//' /run/copy"),
    ),
    Break(
        "test_it_is_compiled_once_and_for_all",
        "there is no bytecode",
        ">= 5",
        guest=f"mount -t tmpfs none {PACKAGE}/__pycache__",
    ),
    Break(
        "test_an_app_comes_and_goes",
        "nobody may ask sandboxd",
        "install --yes",
        guest=replaced(_POLICY, "sed -i 's/context=.default./user=\"root\"/' /run/copy") + "; systemctl reload dbus",
    ),
    Break(
        "test_an_app_comes_and_goes",
        "the store is readable",
        "Permission denied",
        guest=f"chmod 755 {_STORE} {_STORE}/apps",
    ),
    Break(
        "test_nothing_is_installed_without_an_answer",
        "no answer is a yes",
        "not installed",
        guest=edited("command_install", 's/ in (\\"y\\", \\"yes\\")/ != 3/'),
    ),
    Break(
        "test_nothing_is_installed_without_an_answer",
        "what nobody answered stays",
        "test -z",
        guest=edited("daemon/service", "s/self._forget(str/str(str/"),
    ),
    Break(
        "test_versions",
        "an older version is taken",
        "status == 1",
        guest=edited("helper/update", "s/if old.version > new.version:/if False:/"),
    ),
    Break(
        "test_another_signer",
        "every signer is taken",
        "status == 1",
        guest=edited("helper/update", "s/if old.signer != new.signer:/if False:/"),
    ),
    Break(
        "test_a_tampered_byte",
        "signatures are not looked at",
        "status == 1",
        guest=edited("signature", "s/    _verify(root_hash, signature, pem)/    pass/"),
    ),
    Break(
        "test_files_that_are_no_bundles",
        "any file is taken",
        "is not a file",
        guest=edited("helper/stage", "s/if not stat.S_ISREG(status.st_mode):/if False:/"),
    ),
    Break(
        "test_only_a_person_who_is_logged_in_asks",
        "a ticket is anybody's",
        "expected to fail",
        guest=edited("ticket", "s/^    if not re.match(.*/    if False:/"),
    ),
    Break(
        "test_a_sandboxd_that_was_taken_over_installs_nothing_of_its_own",
        "a ticket may be sandboxd's own",
        "results ==",
        guest=edited("ticket", "s/^    if not .*/    if False:/"),
    ),
    Break(
        "test_what_the_parts_may_do",
        "it keeps a capability",
        "in status",
        guest=unit("sandboxd.service", "[Service]", "CapabilityBoundingSet=CAP_KILL"),
    ),
    Break(
        "test_it_behaves_like_a_command",
        "every start is a success",
        "a 7",
        guest=edited("helper/run", "s/printf %s .$status. >&3/printf 0 >\\&3/"),
    ),
    Break(
        "test_a_terminal_of_its_own_and_signals",
        "it gets the user's own terminal",
        "",
        guest=edited("streams", "s/self.given.append(os.dup(slave))/self.given.append(os.dup(number))/"),
    ),
    Break(
        "test_a_terminal_of_its_own_and_signals",
        "signals stay with the command",
        "",
        guest=edited("relay", "s/os.kill(process, self._signals.0.)/pass/"),
    ),
    Break(
        "test_what_an_app_is_and_sees",
        "it has no profile",
        "label",
        guest=edited("helper/run", 's/("AppArmorProfile", .*),/("UMask", "0077"),/'),
    ),
    Break(
        "test_what_an_app_is_and_sees",
        "it sees the host's network",
        "namespaces",
        guest=unit("app-tau-.service", "[Service]", "PrivateNetwork=no"),
    ),
    Break(
        "test_programs_of_the_bundle_are_the_apps_alone",
        "what starts it is looked for in the bundle",
        "DATA",
        guest=edited("helper/run", "s,/usr/bin/setpriv,/app/bin/setpriv,"),
    ),
    Break(
        "test_calls_that_an_attack_begins_with",
        "arguments are not looked at",
        "inside ==",
        guest=edited("helper/run", 's/"--seccomp-filter", [^,]*, "--", //'),
    ),
    Break(
        "test_calls_that_an_attack_begins_with",
        "it may have keyrings",
        "inside ==",
        guest=unit("app-tau-.service", "[Service]", "SystemCallFilter=@keyring"),
    ),
    Break(
        "test_its_data",
        "what is ephemeral is kept",
        "kept",
        guest=edited("helper/run", "s/if how.ephemeral:/if False:/"),
    ),
    Break(
        "test_data_that_lead_elsewhere",
        "links are followed",
        "could not be started",
        guest=edited("helper/mounts", "s/^_RESOLVE = .*/_RESOLVE = 0/; s/ or status.st_uid != uid//"),
    ),
    Break(
        "test_it_takes_no_more_than_its_share",
        "it may have as many processes as there are",
        "found",
        guest=unit("app-tau-.service", "[Service]", "TasksMax=infinity"),
    ),
    Break(
        "test_nothing_is_left",
        "the pipe on which it says how it ends stays",
        "test -z",
        guest=edited("helper/run", 's/|| rm -f "$pipe" "$said"/|| true/'),
    ),
    Break(
        "test_what_is_kept_of_an_app",
        "nothing is kept",
        "== .1.",
        guest=edited("helper/run", 's/("Wants", kept.unit(app)),//'),
    ),
    Break(
        "test_what_is_kept_of_an_app",
        "an app writes to the folder that its data were in before",
        "two",
        guest=edited("helper/kept", "s/same = not .*/same = True/"),
    ),
    Break(
        "test_what_is_kept_of_an_app",
        "the version before is kept, too",
        "did not succeed",
        guest=edited("helper/kept", "s/^    if units:/    if False:/"),
    ),
    Break(
        "test_a_removal_ends_what_runs",
        "it goes on",
        "",
        guest=edited("helper/install", "s/^        kept.end(asked.*/        pass/"),
    ),
    Break(
        "test_a_logout_ends_it_and_locks_the_home",
        "its data stay mounted",
        "",
        guest=unit("tau-apps@.service", "[Service]", "ExecStop=", "ExecStop=true"),
    ),
    Break(
        "test_what_runs_goes_on_when_sandboxd_is_killed",
        "apps end with sandboxd",
        "",
        guest=unit("app-tau-.service", "[Unit]", "BindsTo=sandboxd.service"),
    ),
    Break(
        "test_a_sandboxd_that_hangs_is_replaced",
        "nobody watches it",
        "Watchdog",
        guest=unit("sandboxd.service", "[Service]", "WatchdogSec=0"),
    ),
    Break(
        "test_two_users_of_one_app",
        "every user's data are the first's",
        "said ==",
        guest=edited("helper/prepare", "s/pwd.getpwuid(app.uid)/pwd.getpwuid(1000)/"),
    ),
    Break(
        "test_what_an_app_is_and_sees",
        "its messages and semaphores are everybody's",
        "namespaces",
        guest=unit("tau-net@.service", "[Service]", "PrivateIPC=no"),
    ),
    *FILES,
    *LOG,
    *ATTACKS,
]

WITHOUT: dict[str, str] = {}
