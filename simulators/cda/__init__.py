"""Clinical documents of WS/T 500 as a simulated campus's record system writes them."""
