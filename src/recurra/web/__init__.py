"""Everything that runs in a browser, and the pages that serve it.

static, assets                the scripts and style sheets, and how they become one script
packed_model, inlined_model   the model in bytes for the browser; the model inside a report
panel_data                    the data that the panels of a report and of the live page show
log_tail, run_watch           the state of a run in progress, read from its files
run_analysis, run_model       its slow findings; its model and the check of the gradients
page_routes, site             the routes of the live page; the server that has them beside the API
live_page, live_process       `recurra train --live`: the process beside a training that serves its page
"""
