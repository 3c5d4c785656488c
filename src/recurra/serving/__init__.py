"""The HTTP server: an API that clients of OpenAI's API can use, on loopback unless the user allows another address.

Read the modules in the order in which a request passes them:

access, listening    who may call the server; the socket on which it listens
server, connection   the server process and its orderly end; one connection and its deadlines (`limits`)
security             the guard: it checks every request before the application sees it
application          the routes and their shared state: `services` has the queues of each model of the `registry`
common_routes        `/health`, `/v1/models`, `/session`
completions          `/v1/completions`, in four steps:
                     request (`schemas`) → `validation` → `generation_queue` → stream (`completion_stream`,
                     with `completion_choices` for the JSON of each choice)
scores               `/v1/score`, by way of `scoring_queue`
responses            how every response leaves: JSON, events, and all errors

Two worker threads belong to each model: one generates the texts of all requests side by side, the other computes
log-probabilities. Treat everything that a client sends as hostile; no client waits for another's slow connection.
"""
