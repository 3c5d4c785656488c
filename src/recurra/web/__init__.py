"""The scripts that run in a browser, and the server of the live page.

Modules:

    static, assets                the scripts and style sheets; all scripts joined into one
    packed_model, inlined_model   a model as bytes for the browser; the model inside a report
    panel_data                    the data of the panels of a report and of the live page
    log_tail, run_watch           the state of a run in progress, read from its files
    run_analysis, run_model       slow results about a run; its model and the check of the gradients
    page_routes, site             the routes of the live page; the application with these routes and the API
    live_page, live_process       `recurra train --live`: the process that serves the page of a training
"""
