"""A server of models and runs over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from recurra.config import arguments
from recurra.serving.access import access, read_key, require_guarded
from recurra.serving.listening import bind, url
from recurra.serving.registry import scan
from recurra.system import optional_dependencies

LAST_PORT = 65535
Announcement = Callable[[str, list[str]], None]


def serve(
    models: str | Path | Sequence[str | Path] = (),
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    allow_hosts: Sequence[str] = (),
    api_key_file: str | Path | None = None,
    announce: Announcement | None = None,
) -> None:
    """Serve models over HTTP until a signal stops the server.

    The server offers the completions API of OpenAI and a web page. Call this function in the main thread, because
    SIGINT and SIGTERM stop the server there.

    Args:
        models: run directories (their best checkpoints) or checkpoint files; empty: every run in runs/.
        host: the address to listen on. An address that other machines can reach needs an API key.
        port: the port; 0: any free port.
        allow_hosts: host names under which clients reach this server.
        api_key_file: a file with the API key that clients must send; None: the variable RECURRA_API_KEY, if set.
        announce: a function, called with the server's address and the models' names when the server is ready.

    Raises:
        Interrupted: a few seconds after a signal.
        UsageError: if the extra `serve` is not installed, or if other machines could reach the server without a key.
        RecurraError: if the port is in use.
    """
    paths = [arguments.path("models", model) for model in arguments.as_list(models)]
    host, port = arguments.text("host", host), arguments.whole_number("port", port, 0, LAST_PORT)
    if not isinstance(allow_hosts, (list, tuple)):
        raise arguments.invalid_argument("allow_hosts", "a list of names", allow_hosts)
    names = tuple(arguments.text("allow_hosts", name) for name in allow_hosts)
    key_file = None if api_key_file is None else arguments.path("api_key_file", api_key_file)
    arguments.function("announce", announce)
    optional_dependencies.require("serve", "`recurra serve`")
    from recurra.serving import server  # importable only with the extra
    from recurra.web.site import create_site

    key = read_key(key_file)
    require_guarded(host, names, key)
    registry = scan(paths)
    with bind(host, port) as listening:
        bound = listening.getsockname()[1]
        for served in registry.values():  # compile the kernels before the first request
            served.model.samples(max_new_tokens=1, num_return_sequences=2)
            served.model.score(served.model.vocabulary.unspell(served.model.vocabulary.symbols[:2]))
        guard = create_site(registry, access(host, bound, names=names, key=key))

        def started() -> None:
            if announce is not None:
                announce(url(host, bound), list(registry))

        server.serve(guard, listening, started)
