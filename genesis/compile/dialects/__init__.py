"""What is written differently for each dialect: our own functions, and what engines read otherwise."""
