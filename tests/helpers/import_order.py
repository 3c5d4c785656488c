"""The import order of the packages: a module imports only from packages on its own line and on the lines above."""

IMPORT_ORDER = (
    ("errors", "formatting"),
    ("system",),
    ("io",),
    ("config",),
    ("text",),
    ("network",),
    ("engines",),
    ("distributed",),
    ("inference",),
    ("compression",),
    ("model",),
    ("training",),
    ("runs",),
    ("interop",),
    ("serving",),
    ("web",),
    ("report",),
    ("api",),
    ("cli", "__main__"),
)
