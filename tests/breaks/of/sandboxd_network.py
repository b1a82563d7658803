"""Breaks of the network by consent: what passes unasked, and what is asked in vain."""

from tests.breaks.model import Break
from tests.breaks.of._sandboxd_edits import edited, unit


def _rules(expression: str) -> str:
    """Load other rules for what apps send."""
    path = "/usr/lib/tau/sandbox/network.nft"
    changed = f"sed '{expression}' {path} >/run/rules.nft; if cmp -s /run/rules.nft {path}; then exit 1; fi"
    return f"{changed}; nft -f /run/rules.nft"


def _daemon(module: str, expression: str) -> str:
    """Change a module of sandboxd's, which may run by now."""
    return f"{edited(module, expression)}; systemctl try-restart sandboxd.service"


BREAKS = [
    Break(
        "test_a_name_is_asked_for_and_leaves_when_its_user_says_so",
        "names are looked up before the answer",
        "not in",
        guest=edited(
            "daemon/resolver",
            "s/^            if not await self._consent.permit/            await upstream(message)\\n&/",
        ),
    ),
    Break(
        "test_an_address_waits_and_goes_on_or_is_refused",
        "what is asked about passes meanwhile",
        "capture.sent",
        guest=_rules("s/^        log group .*/&; jump allowed/"),
    ),
    Break(
        "test_nobody_to_ask_is_a_no",
        "nobody there is a yes",
        "Connection refused",
        guest=_daemon("daemon/agents", 's/^        return None$/        return DECISIONS["allow-once"]/'),
    ),
    Break(
        "test_keys_of_the_apps_and_other_words_are_no_answer",
        "whatever is typed is a yes",
        "== 2",
        guest=edited(
            "prompt", 's/^            word = ANSWERS.get/            line = line if line in ANSWERS else "a"\\n&/'
        ),
    ),
    Break(
        "test_decided_elsewhere_meanwhile",
        "a question stands until it is answered",
        "done-",
        guest=_daemon("daemon/consent", "s/answered.set_result(None)/pass/"),
    ),
    Break(
        "test_what_is_revoked_ends",
        "what is open stays open",
        "== far",
        guest=edited("helper/links", "s/^        _cut(number, permission)/        pass/"),
    ),
    Break(
        "test_what_it_never_reaches",
        "the machine itself is one of the networks",
        "Connection refused",
        guest="nft flush chain inet tau_apps asked; nft insert rule inet tau_firewall inbound iifname 'tau-*' accept",
    ),
    Break(
        "test_what_it_does_not_declare",
        "what is not declared can be granted",
        "does not ask for lan",
        guest=edited("daemon/permission_calls", "s/if permission not in _declared(app):/if False:/"),
    ),
    Break(
        "test_asked_at_installation",
        "the answers are forgotten",
        "allowed always",
        guest=edited("command_install", "s/else _decided(new)/else _decided(new) and {}/"),
    ),
    Break(
        "test_a_sandboxd_that_is_killed_loses_nothing",
        "who asks does not come back",
        "QUESTION",
        guest=edited("agent", "s/^            self._connect_again()/            pass/"),
    ),
    Break(
        "test_a_store_that_fails_grants_nothing",
        "apps start without it",
        "status == 125",
        guest=_daemon(
            "daemon/permission_calls",
            "s/^        await self._do(store.check)/        return AtStart(uid, name, {}, asks=True)/",
        ),
    ),
    Break(
        "test_nothing_is_left_of_a_link",
        "nobody takes it away",
        "test -z",
        guest=unit("tau-link@.service", "[Service]", "ExecStopPost="),
    ),
]

WITHOUT: dict[str, str] = {}
