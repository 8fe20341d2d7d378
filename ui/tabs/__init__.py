"""One module a tab: layout() draws and returns its handles, wire() connects them."""
