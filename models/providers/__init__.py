"""Remote services, one file each, through their official SDKs; imported only when one of their models is loaded."""
