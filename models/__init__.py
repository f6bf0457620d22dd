"""From a request to a result: every model, local or remote, behind one typed call."""
