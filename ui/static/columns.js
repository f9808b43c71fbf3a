// Trials in columns, as the server sends them: all at first, then what changed.

function indexed(part) {
  return [part, part.point, part.metric];
}

/** Put changed trials into their places; what is new is added. */
export function merge(data, change) {
  for (const name of change.metrics) {
    if (!data.metrics.includes(name)) {
      data.metrics.push(name);
      data.trials.metric[name] = data.trials.index.map(() => null);
    }
  }
  const from = indexed(change.trials);
  const into = indexed(data.trials);
  change.trials.index.forEach((index, place) => {
    from.forEach((group, which) => {
      for (const [name, values] of Object.entries(group)) {
        if (Array.isArray(values) && into[which][name]) into[which][name][index] = values[place];
      }
    });
  });
  data.position = change.position;
  data.now = Date.now() / 1000;
}
