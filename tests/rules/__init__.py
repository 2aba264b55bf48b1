"""Each of the fifteen rules of DESIGN.md section 4 has a test here that fails without it; `mutate` takes them out one by one."""
