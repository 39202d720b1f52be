"""Where work runs: processes that outlive the one that started them."""
