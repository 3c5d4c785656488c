"""Settings of the whole suite."""

import os
import sysconfig

from hypothesis import HealthCheck, Phase, settings

pytest_plugins = ["run_folder", "serving_fixtures"]

# The first example of a test may compile a kernel, and the machine may be slow; and the same examples every time make a
# failure repeatable.
settings.register_profile("recurra", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
# That there is a failure is all that a mutant is asked for: the example need not be a small one.
settings.register_profile("mutants", settings.get_profile("recurra"), phases=[Phase.explicit, Phase.generate])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "recurra"))

# Messages name the command as PATH finds it: the tests expect an active environment.
os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
