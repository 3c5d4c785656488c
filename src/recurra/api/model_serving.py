"""Models and runs over HTTP."""

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
    """Serve models until a signal stops the server: an API that OpenAI's clients talk to.

    models
        run folders (their best checkpoints) or checkpoint files; none: every run in runs/
    host
        the address to listen at; any but this machine's own needs a key
    port
        0: any that is free
    allow_hosts
        names that clients call this server by
    api_key_file
        a file with the key that clients must show (default: the variable RECURRA_API_KEY, if set)
    announce
        a function that is called with the server's address and the models' names once it listens

    SIGINT and SIGTERM reach the server in the main thread; it then ends, within some seconds, with `Interrupted`.
    Raises UsageError if the extra `serve` is not installed or others could reach the server without a key, and
    RecurraError if the port is taken.
    """
    paths = [arguments.path("models", model) for model in arguments.as_list(models)]
    host, port = arguments.text("host", host), arguments.whole_number("port", port, 0, LAST_PORT)
    if not isinstance(allow_hosts, (list, tuple)):
        raise arguments.invalid_argument("allow_hosts", "a list of names", allow_hosts)
    names = tuple(arguments.text("allow_hosts", name) for name in allow_hosts)
    key_file = None if api_key_file is None else arguments.path("api_key_file", api_key_file)
    arguments.function("announce", announce)
    optional_dependencies.require("serve", "`recurra serve`")
    from recurra.serving import server  # needs the extra
    from recurra.web.site import create_site

    key = read_key(key_file)
    require_guarded(host, names, key)
    registry = scan(paths)
    with bind(host, port) as listening:
        bound = listening.getsockname()[1]
        for served in registry.values():  # compile the kernels before a client waits for them
            served.model.samples(max_new_tokens=1, num_return_sequences=2)
            served.model.score(served.model.vocabulary.unspell(served.model.vocabulary.symbols[:2]))
        guard = create_site(registry, access(host, bound, names=names, key=key))

        def started() -> None:
            if announce is not None:
                announce(url(host, bound), list(registry))

        server.serve(guard, listening, started)
