"""Load runs: `load-run` starts them, `load-user` plays one customer, `load-report` says how it went."""
