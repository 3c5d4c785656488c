"""The settings of all tests."""

import os
import sysconfig

from hypothesis import HealthCheck, Phase, settings

pytest_plugins = ["run_folder", "serving_fixtures"]

# No deadline: the first example of a test may compile a kernel. Equal examples in every run: a failure can be repeated.
settings.register_profile("recurra", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
# A mutant needs a failing example, not a small one.
settings.register_profile("mutants", settings.get_profile("recurra"), phases=[Phase.explicit, Phase.generate])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "recurra"))

# Messages name the command as PATH finds it: the tests expect an active environment.
os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
