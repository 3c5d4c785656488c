"""The sections of one run's report, a module each. Each says what is absent instead of leaving a hole."""
