"""Typical mistakes, each with what is typed, what is answered, and the exit code.

`docs/troubleshooting.md` is written from this table, and the tests type every line of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

EXPERIMENT = """\
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata:
  name: digits
spec:
  objective:
    type: minimize
    objectiveMetricName: loss
  algorithm:
    algorithmName: random
  maxTrialCount: 2
  parallelTrialCount: 1
  seed: 1
  parameters:
    - name: lr
      parameterType: double
      feasibleSpace:
        min: "0.01"
        max: "0.1"
  trialTemplate:
    primaryContainerName: training
    trialSpec:
      apiVersion: batch/v1
      kind: Job
      spec:
        template:
          spec:
            restartPolicy: Never
            containers:
              - name: training
                image: none
                command: [python, train.py, "--lr=${trialParameters.lr}"]
"""
"""The file `experiment.yaml` of every mistake; `train.py` lies beside it."""

PROGRAM = """\
import sys

print("loss=" + sys.argv[1].partition("=")[2])
"""

COMMAND = 'command: [python, train.py, "--lr=${trialParameters.lr}"]'
NAME = "${trialParameters.lr}"


@dataclass(frozen=True)
class Mistake:
    """`…` in `says` stands for anything within a line, `{…}` for what a scene made.

    In the file, `wrote` stands instead of `right`. `first` are commands that went well before.
    `scene` names what the machine is like; `quick` mistakes need no process of their own.
    """

    what: str
    typed: str
    says: str
    code: int = 2
    wrote: str = ""
    right: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    first: tuple[str, ...] = ()
    scene: str = ""
    quick: bool = True
    advice: str = ""


VALIDATE = "tunewright validate experiment.yaml"
RUN = "tunewright run experiment.yaml"
FLAGS = "tunewright run --param lr=log:0.01..1 --minimize loss --trials 2"

THE_FILE = (
    Mistake(
        "A field is misspelt",
        VALIDATE,
        "error: experiment.yaml:9: spec.algoritm: is not known (did you mean algorithm?)",
        wrote="  algoritm:",
        right="  algorithm:",
    ),
    Mistake(
        "The metric is missing",
        VALIDATE,
        "error: experiment.yaml:6: spec.objective.objectiveMetricName: must be specified",
        right="    objectiveMetricName: loss\n",
        wrote="",
    ),
    Mistake(
        "A value is misspelt",
        VALIDATE,
        "error: experiment.yaml:7: spec.objective.type: must be minimize or maximize"
        " (one of minimize, maximize)",
        right="type: minimize",
        wrote="type: minimise",
    ),
    Mistake(
        "The kind is misspelt",
        VALIDATE,
        "error: experiment.yaml:2: kind: 'Experimnt' is not known (did you mean Experiment?)",
        right="kind: Experiment",
        wrote="kind: Experimnt",
    ),
    Mistake(
        "The API version is outdated",
        VALIDATE,
        "error: experiment.yaml:1: apiVersion: 'kubeflow.org/v1alpha3' is not known"
        " (kubeflow.org/v1beta1)",
        right="v1beta1",
        wrote="v1alpha3",
    ),
    Mistake(
        "The file is not YAML",
        VALIDATE,
        "error: experiment.yaml:2: not YAML: unexpected colon; quote the text, or"
        " check the indentation",
        right="kind: Experiment",
        wrote="kind: Experiment: mine",
    ),
    Mistake(
        "A tab in the indentation",
        VALIDATE,
        "error: experiment.yaml:11: not YAML: tabs cannot be used for indentation; use spaces",
        right="  maxTrialCount: 2",
        wrote="\tmaxTrialCount: 2",
    ),
    Mistake(
        "A duplicate key",
        VALIDATE,
        "error: experiment.yaml:8: spec.objective.type: duplicate key, first in line 7"
        " (remove one of them)",
        right="    type: minimize\n",
        wrote="    type: minimize\n    type: maximize\n",
    ),
    Mistake(
        "A no without quotes",
        VALIDATE,
        "error: experiment.yaml:13: spec.suspend: no is true or false to some YAML parsers, and"
        ' text to others (write "no" in quotes, or true or false)',
        right="  seed: 1",
        wrote="  suspend: no",
    ),
    Mistake(
        "Text instead of a number",
        VALIDATE,
        "error: experiment.yaml:11: spec.maxTrialCount: must be a whole number, not 'two'",
        right="maxTrialCount: 2",
        wrote="maxTrialCount: two",
    ),
    Mistake(
        "The name has invalid characters",
        VALIDATE,
        "error: experiment.yaml:4: metadata.name: name must consist of lower case alphanumeric"
        " characters or '-', …",
        right="name: digits",
        wrote="name: My_Digits",
    ),
    Mistake(
        "The file does not exist",
        "tunewright run experimnt.yaml",
        "error: experimnt.yaml: cannot be read: No such file or directory",
    ),
    Mistake(
        "A directory instead of a file",
        "tunewright run .",
        "error: .: cannot be read: Is a directory",
    ),
    Mistake(
        "No permission to read the file",
        VALIDATE,
        "error: experiment.yaml: cannot be read: Permission denied",
        scene="an unreadable file",
        quick=False,
    ),
)

THE_SEARCH = (
    Mistake(
        "The algorithm is unknown",
        RUN,
        "error: spec.algorithm.algorithmName: unknown algorithm name randon (did you mean random?)",
        right="algorithmName: random",
        wrote="algorithmName: randon",
        advice="`tunewright algorithms` lists them all.",
    ),
    Mistake(
        "A setting is unknown",
        RUN,
        "error: spec.algorithm.algorithmSettings[0].name: unknown setting patience for"
        " algorithm tpe (there are gamma, prior_weight, n_EI_candidates, n_startup_trials,"
        " n_ei_candidates, random_state)",
        right="    algorithmName: random\n",
        wrote='    algorithmName: tpe\n    algorithmSettings: [{name: patience, value: "5"}]\n',
        advice="`tunewright algorithms tpe` shows the settings with their defaults.",
    ),
    Mistake(
        "A setting has the wrong type",
        RUN,
        "error: spec.algorithm.algorithmSettings[0].value: failed to validate gamma(high):"
        " could not convert string to float: 'high' (it must be in (0, 1))",
        right="    algorithmName: random\n",
        wrote="    algorithmName: tpe\n    algorithmSettings: [{name: gamma, value: high}]\n",
    ),
    Mistake(
        "min is greater than max",
        VALIDATE,
        "error: experiment.yaml:19: spec.parameters[0].feasibleSpace.max: max 0.1 must not be less"
        " than min 1 (swap them)",
        right='min: "0.01"',
        wrote='min: "1"',
    ),
    Mistake(
        "A logarithmic scale that starts at 0",
        VALIDATE,
        "error: experiment.yaml:18: spec.parameters[0].feasibleSpace.min: min 0 must be greater"
        " than 0 for distribution: logUniform (a small positive min, or distribution uniform)",
        right='        min: "0.01"\n',
        wrote='        min: "0"\n        distribution: logUniform\n',
    ),
    Mistake(
        "min is not a number",
        VALIDATE,
        "error: experiment.yaml:18: spec.parameters[0].feasibleSpace.min: 'low' is not a number"
        " (write a finite number, such as 0.1 or 1e-4)",
        right='min: "0.01"',
        wrote="min: low",
    ),
    Mistake(
        "A parameter type of another tool",
        VALIDATE,
        "error: experiment.yaml:16: spec.parameters[0].parameterType: parameterType: float is not"
        " supported (one of double, int, discrete, categorical)",
        right="parameterType: double",
        wrote="parameterType: float",
    ),
    Mistake(
        "A grid over a range without a step",
        RUN,
        "error: spec.parameters[0].feasibleSpace.step: Param lr step is nil; …(give it a step)",
        right="algorithmName: random",
        wrote="algorithmName: grid",
    ),
    Mistake(
        "hyperband without its resource",
        RUN,
        "error: spec.algorithm.algorithmSettings: r_l and resource_name must be set. (r_l is the"
        " maximum of the resource, resource_name the parameter that receives it)",
        right="algorithmName: random",
        wrote="algorithmName: hyperband",
    ),
    Mistake(
        "The early-stopping rule is unknown",
        RUN,
        "error: spec.earlyStopping.algorithmName: …mediastop (did you mean medianstop?)",
        right="  seed: 1",
        wrote="  earlyStopping: {algorithmName: mediastop}",
    ),
    Mistake(
        "More trials at once than in total",
        VALIDATE,
        "error: experiment.yaml:12: spec.parallelTrialCount: should be less than or equal to"
        " spec.maxTrialCount (at most 2)",
        right="parallelTrialCount: 1",
        wrote="parallelTrialCount: 5",
    ),
)

THE_TEMPLATE = (
    Mistake(
        "The template does not use a parameter",
        VALIDATE,
        "error: experiment.yaml:15: spec.parameters[0].name: parameter name: lr not found in"
        " spec.trialTemplate (put ${trialParameters.lr} where its value belongs, or write"
        " trialParameters: [] when the program reads its point itself)",
        right=COMMAND,
        wrote="command: [python, train.py]",
    ),
    Mistake(
        "The template uses an unknown parameter",
        VALIDATE,
        "error: experiment.yaml:32: spec.trialTemplate.trialSpec.spec.template.spec.containers[0]"
        ".command[2]: ${trialParameters.rate} is not in spec.trialTemplate.trialParameters"
        " (known are lr)",
        right="${trialParameters.lr}",
        wrote="${trialParameters.rate}",
    ),
    Mistake(
        "The container has another name",
        VALIDATE,
        "error: experiment.yaml:21: spec.trialTemplate.primaryContainerName: the template has no"
        " container 'main' (one of training)",
        right="primaryContainerName: training",
        wrote="primaryContainerName: main",
    ),
    Mistake(
        "A kind without a known end",
        VALIDATE,
        "error: experiment.yaml:20: spec.trialTemplate.successCondition: successCondition and"
        " failureCondition must be specified (it is not known how a Deployment ends)",
        right="kind: Job",
        wrote="kind: Deployment",
    ),
    Mistake(
        "The command is not found",
        f"{FLAGS} -- pyton3 train.py --lr={{lr}}",
        "error: there is no program 'pyton3' on this machine: did you mean python3? Else use the"
        " image with --runtime docker, or name a program of this machine",
    ),
    Mistake(
        "The script is not found",
        f"{FLAGS} -- python3 tain.py --lr={{lr}}",
        "error: the script tain.py does not exist in {folder}: did you mean train.py?",
    ),
    Mistake(
        "The script is not executable",
        f"{FLAGS} -- ./train.py --lr={{lr}}",
        "error: ./train.py cannot be run, it is not executable: make it executable: chmod +x"
        " ./train.py, or put its interpreter before it",
    ),
    Mistake(
        "The script's interpreter does not exist",
        f"{FLAGS} -- ./train.py --lr={{lr}}",
        "error: the first line of ./train.py names the interpreter '/usr/bin/pyton3', which is not"
        " on this machine: fix the line, or put an interpreter before the script",
        files={"train.py": f"#!/usr/bin/pyton3\n{PROGRAM}"},
        scene="an executable script",
    ),
    Mistake(
        "A variable name that contains its value",
        RUN,
        "error: container training: env 'MODE=fast' cannot be the name of a variable: write one"
        " without '='",
        right="image: none",
        wrote='image: none\n                env: [{name: "MODE=fast"}]',
    ),
    Mistake(
        "Quotes around several words of the command",
        f"{FLAGS} -- 'python3 train.py' --lr={{lr}}",
        "error: there is no program 'python3 train.py' on this machine: write its words one by"
        " one, without quotes around them",
    ),
)

WHAT_IS_TYPED = (
    Mistake(
        "An unknown command",
        "tunewright rnu experiment.yaml",
        "Error: No such command 'rnu'. Did you mean run?",
    ),
    Mistake(
        "An unknown option",
        "tunewright run experiment.yaml --trails 5",
        "Error: No such option '--trails'. (Did you mean one of: '--metric', '--trials'?)",
    ),
    Mistake(
        "One argument too many",
        "tunewright best digits loss",
        "Error: Got unexpected extra argument (loss)",
    ),
    Mistake(
        "An argument is missing",
        "tunewright best",
        "Error: Missing argument 'NAME'.",
        advice="`tunewright get` lists the names.",
    ),
    Mistake(
        "Text instead of a number in an option",
        "tunewright run experiment.yaml --trials many",
        "Error: Invalid value for '--trials': 'many' is not a valid integer.",
    ),
    Mistake(
        "An ambiguous range",
        "tunewright run --param layers=1..3 --minimize loss -- python3 train.py {layers}",
        "error: --param layers=1..3: 1..3 may mean whole or real numbers (write layers=int:1..3 or"
        " layers=float:1..3)",
    ),
    Mistake(
        "The command does not use the parameter",
        f"{FLAGS} -- python3 train.py --lr={{rl}}",
        "error: --param lr: the command does not use it (write {lr} in the command)",
    ),
    Mistake(
        "Neither --minimize nor --maximize",
        "tunewright run --param lr=log:0.01..1 -- python3 train.py --lr={lr}",
        "error: --minimize: the objective is one metric (--minimize loss or --maximize accuracy)",
    ),
    Mistake(
        "No -- before the command",
        f"{FLAGS} python3 train.py --lr={{lr}}",
        "Error: No such option '--lr'. …Put the command and its options after --, as in --"
        " python train.py --lr {lr}",
    ),
    Mistake(
        "The working directory does not exist",
        f"{RUN} --workdir runs",
        "error: --workdir: {folder}/runs is not a directory (name an existing one)",
    ),
    Mistake(
        "An unknown parameter",
        "tunewright render experiment.yaml --set rl=0.1",
        "error: --set: there is no parameter rl (there are lr)",
    ),
    Mistake(
        "The file already exists",
        "tunewright init experiment.yaml",
        "error: experiment.yaml exists: --force overwrites it, or name another file",
    ),
)

EXPERIMENTS = (
    Mistake(
        "Another experiment has the same name",
        f"{RUN}",
        "error: default/digits exists with another spec (there → here):\n"
        "  spec.seed: 1 → 2\n"
        "  --again or --name runs this one beside it\n"
        "  `tunewright edit digits` changes the budget of that one",
        first=("tunewright run other.yaml",),
        files={"other.yaml": EXPERIMENT},
        right="seed: 1",
        wrote="seed: 2",
    ),
    Mistake(
        "Two files with the same name of an experiment",
        "tunewright validate experiment.yaml other.yaml",
        "error: other.yaml:4: metadata.name: the Experiment digits is defined twice (rename one)",
        files={"other.yaml": EXPERIMENT},
    ),
    Mistake(
        "The experiment does not exist",
        "tunewright best digts",
        "error: no experiment is called digts (did you mean digits?)",
        first=(RUN,),
    ),
    Mistake(
        "The trial does not exist",
        "tunewright logs digits 7",
        "error: digits has no trial 7 (its trials are 0 to 1)",
        first=(RUN,),
    ),
    Mistake(
        "The metric does not exist",
        "tunewright metrics digits best --metric accuracy",
        "error: trial … of digits has no metric accuracy (there are loss)",
        first=(RUN,),
    ),
    Mistake(
        "There is nothing to resume",
        "tunewright resume digits",
        "error: no experiment is called digits (there are none yet)",
    ),
    Mistake(
        "A point outside the space",
        "tunewright trials add digits lr=7",
        "error: trials add lr: 7 is not in [0.01, 0.1] (lr may be [0.01, 0.1])",
        first=(RUN,),
    ),
)

THE_TRIALS = (
    Mistake(
        "A module is missing in the trial",
        RUN,
        "Experiment has failed because no trial reported the objective metric loss (NoObservation)"
        "\nfirst TrialFailed: trial 0 (…)\n"
        "  Trial has failed: exit code 1:\n"
        "  Traceback (most recent call last):\n"
        '    File "…/train.py", line 1, in <module>\n'
        "      import no_such_module\n"
        "  ModuleNotFoundError: No module named 'no_such_module'",
        1,
        files={"train.py": "import no_such_module\n"},
        quick=False,
        advice="Trials run in the environment in which you typed `run`. Install the module there.",
    ),
    Mistake(
        "All trials fail",
        RUN,
        "Experiment has failed because no trial reported the objective metric loss (NoObservation)"
        "\nfirst TrialFailed: trial 0 (…)\n"
        "  Trial has failed: exit code 3:\n"
        "  no such data",
        1,
        files={"train.py": 'import sys\n\nprint("no such data", file=sys.stderr)\nsys.exit(3)\n'},
        quick=False,
        advice="`tunewright try experiment.yaml` runs a single trial before you spend any budget.",
    ),
    Mistake(
        "The metric is printed in an unknown format",
        "tunewright try experiment.yaml",
        "MetricsUnavailable: Metrics are not available: the objective metric loss was never"
        " reported\n(print it as `name=value`, or tell metricsCollectorSpec where it is)",
        1,
        files={"train.py": 'print("the loss is now 0.3")\n'},
        quick=False,
        advice="[Metrics](metrics.md) lists the recognized formats.",
    ),
    Mistake(
        "The metric has another name",
        "tunewright try experiment.yaml",
        "MetricsUnavailable: Metrics are not available: the objective metric loss was never"
        " reported; seen: val_loss",
        1,
        files={"train.py": 'print("val_loss=0.3")\n'},
        quick=False,
    ),
    Mistake(
        "A trial takes longer than allowed",
        RUN,
        "first DeadlineExceeded: trial 0 (…)\n"
        "  Trial ran longer than trialPolicy.activeDeadlineSeconds (1 s)\n"
        "  (raise the deadline)",
        1,
        right="  seed: 1",
        wrote="  trialPolicy: {activeDeadlineSeconds: 1}",
        files={"train.py": "import time\n\ntime.sleep(60)\n"},
        quick=False,
    ),
    Mistake(
        "A GPU on a machine without one",
        RUN,
        "first TrialRefused: trial 0 (…)\n"
        "  Trial cannot run here: 1 × nvidia.com/gpu asked for, 0 on this machine: ask for fewer,"
        " or run the same file on a cluster",
        1,
        right="image: none",
        wrote="image: none\n                resources: {limits: {nvidia.com/gpu: 1}}",
        scene="a machine without a GPU",
        quick=False,
    ),
)

THE_STORE = (
    Mistake(
        "The store does not exist",
        "tunewright get --store digit.db",
        "error: there is no store at {folder}/digit.db (`tunewright run --store digit.db`"
        " creates one)",
    ),
    Mistake(
        "The store cannot be created",
        f"{RUN} --store /proc/tuning/store.db",
        "error: /proc/tuning cannot be created: No such file or directory",
        1,
    ),
    Mistake(
        "No permission to write the store",
        f"{RUN} --store closed/store.db",
        "error: {folder}/closed/store.db: the store cannot be written: unable to open database"
        " file; free some space or fix its permissions",
        1,
        scene="a closed folder",
        quick=False,
    ),
    Mistake(
        "The store is not a database",
        "tunewright get --store train.py",
        "error: {folder}/train.py: the store is damaged, or not a database: file is not a database;"
        " restore a copy of it, or name another with --store or TUNEWRIGHT_HOME",
    ),
    Mistake(
        "An unknown kind of database",
        "tunewright get --store oracle://db/tune",
        "error: …oracle…",
    ),
    Mistake(
        "The database does not answer",
        "tunewright get --store postgresql://tune@127.0.0.1:{closed}/tune",
        "error: the store does not answer: …127.0.0.1…",
        1,
        scene="a closed port",
    ),
    Mistake(
        "The password is wrong",
        "tunewright get --store '{store}'",
        "error: the store does not answer: …Access denied for user 'tune'@'localhost' (using"
        " password: YES)…",
        1,
        scene="a database with a password",
        advice="The password may stand in `TUNEWRIGHT_STORE_PASSWORD` instead of the URL.",
    ),
    Mistake(
        "The user has no rights on the database",
        "tunewright get --store '{store}'",
        "error: …: the store's user lacks a right: …Access denied for user 'tune'@'localhost' to"
        " database …; grant it all rights on that database, in PostgreSQL on its schema too",
        1,
        scene="a database of others",
    ),
    Mistake(
        "The disk is full",
        "tunewright export digits > /dev/full",
        "error: No space left on device (free some space)",
        1,
        first=(RUN,),
        quick=False,
    ),
    Mistake(
        "The disk of the store is full",
        f"{RUN} --store small/store.db --trials 300",
        "error: {folder}/small/store.db: the store cannot be written: database or disk is full;"
        " free some space or fix its permissions",
        1,
        scene="a small disk",
        quick=False,
        advice="Everything recorded so far is kept; `tunewright resume digits` continues it.",
    ),
)

ELSEWHERE = (
    Mistake(
        "The kubeconfig is missing",
        "tunewright get --cluster --kubeconfig kubeconfig",
        "error: --cluster: no cluster is configured: there is no file kubeconfig (name one with"
        " --kubeconfig or KUBECONFIG, or another --context)",
    ),
    Mistake(
        "The cluster cannot be reached",
        "tunewright get --kubeconfig there.yaml",
        "error: the API server cannot be reached: …port={closed}…Connection refused (is the cluster"
        " up, and is this its context? --context and --kubeconfig name another)",
        1,
        scene="a cluster that is away",
    ),
    Mistake(
        "A cluster needs an image",
        "tunewright run --cluster --param lr=log:0.01..1 --minimize loss -- python3 train.py {lr}",
        "error: --image: a cluster runs trials in images (name the image that holds the command)",
    ),
    Mistake(
        "The port is in use",
        "tunewright serve suggestion --port {taken}",
        "error: 127.0.0.1:{taken} is taken by another program: name another port",
        scene="a taken port",
        quick=False,
    ),
    Mistake(
        "A service that anybody could call",
        "tunewright serve suggestion --host 0.0.0.0",
        "error: 0.0.0.0:6789 can be reached from other machines: give TLS files or a token, listen"
        " on 127.0.0.1, or let anybody call",
        advice="Use `--tls-cert` and `--tls-key`, `--token-file`, or `--open`.",
    ),
    Mistake(
        "The plug-in does not answer",
        "tunewright plugin test 127.0.0.1:{closed}",
        "error: 127.0.0.1:{closed}: failed to connect to all addresses; …",
        1,
        scene="a closed port",
    ),
    Mistake(
        "The plug-in is not executable",
        "tunewright plugin test -- ./train.py --port {port}",
        "error: ./train.py --port … cannot be started: Permission denied (make it executable: chmod"
        " +x, or put its interpreter before it)",
    ),
    Mistake(
        "The plug-in ends at once",
        "tunewright plugin test -- python3 train.py --port={port}",
        "error: python3 train.py --port=… ended with exit code 0 before it listened on 127.0.0.1:…",
        1,
        quick=False,
    ),
)

SECTIONS: dict[str, tuple[Mistake, ...]] = {
    "The file": THE_FILE,
    "The search": THE_SEARCH,
    "The trial template and the command": THE_TEMPLATE,
    "What is typed": WHAT_IS_TYPED,
    "Experiments and trials": EXPERIMENTS,
    "What trials do": THE_TRIALS,
    "The store": THE_STORE,
    "Clusters, services and plug-ins": ELSEWHERE,
}
