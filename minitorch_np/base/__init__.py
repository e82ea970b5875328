"""What classes and files are made of: helpers that know nothing else of the package."""
