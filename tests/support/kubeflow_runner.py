"""`python kubeflow_runner.py PIPELINE FOLDER NAME=VALUE…`: run a compiled pipeline here. For Kubeflow's environment."""

import sys

from kfp import components, local  # type: ignore[import-not-found]  # it has an environment of its own

if __name__ == "__main__":
    file, folder, *arguments = sys.argv[1:]
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=folder)
    task = components.load_component_from_file(file)(**dict(argument.split("=", 1) for argument in arguments))
