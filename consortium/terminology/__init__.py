"""Master data (主数据): what departments, items, drugs and codes there are, and which code means which."""
