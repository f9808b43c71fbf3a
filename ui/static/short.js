// From the short form to an Experiment, in the spelling of `tunewright run --param`.

const NUMBERS = /^(int:)?(log:)?(int:)?([^:]+?)\.\.([^/]+)(?:\/(.+))?$/;

function parameter(line) {
  const [name, ...rest] = line.split("=");
  const space = rest.join("=").trim();
  if (!name.trim() || !space) throw new Error(`${line}: write NAME=SPACE, e.g. lr=log:1e-5..1e-1`);
  const range = NUMBERS.exec(space);
  if (!range) {
    const list = space.split(",").map((each) => JSON.stringify(each.trim()));
    return `    - name: ${name.trim()}\n      parameterType: categorical\n      feasibleSpace: {list: [${list.join(", ")}]}`;
  }
  const isInt = Boolean(range[1] || range[3]);
  const parts = [`min: "${range[4]}"`, `max: "${range[5]}"`];
  if (range[6]) parts.push(`step: "${range[6]}"`);
  if (range[2]) parts.push("distribution: logUniform");
  return `    - name: ${name.trim()}\n      parameterType: ${isInt ? "int" : "double"}\n      feasibleSpace: {${parts.join(", ")}}`;
}

function words(command) {
  return [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? match[3]);
}

export function experimentOf({ name, command, space, metric, type, trials, parallel }) {
  const lines = space.split("\n").map((line) => line.trim()).filter(Boolean);
  const names = lines.map((line) => line.split("=")[0].trim());
  const run = words(command).map((word) =>
    JSON.stringify(word.replace(/\{([\w.-]+)\}/g, (all, key) => (names.includes(key) ? `\${trialParameters.${key}}` : all))));
  return `apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata:
  name: ${name}
spec:
  objective:
    type: ${type}
    objectiveMetricName: ${metric}
  maxTrialCount: ${trials || 20}
  parallelTrialCount: ${parallel || 2}
  parameters:
${lines.map(parameter).join("\n")}
  trialTemplate:
    trialParameters:
${names.map((each) => `      - {name: ${each}, reference: ${each}}`).join("\n")}
    trialSpec:
      apiVersion: batch/v1
      kind: Job
      spec:
        template:
          spec:
            containers:
              - name: training-container
                image: local
                command: [${run.join(", ")}]
`;
}
