// Trials in columns, as the server sends them: all at first, then what changed.

function indexed(part) {
  return [part, part.point, part.metric];
}

/** Return where a trial is or comes: in the order of indexes, of which some may be missing. */
function placeOf(index, indexes) {
  let [low, high] = [0, indexes.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (indexes[middle] < index) low = middle + 1;
    else high = middle;
  }
  return low;
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
  change.trials.index.forEach((index, row) => {
    const place = placeOf(index, data.trials.index);
    const known = data.trials.index[place] === index ? 1 : 0;
    from.forEach((group, which) => {
      for (const [name, values] of Object.entries(group)) {
        if (Array.isArray(values)) into[which][name]?.splice(place, known, values[row]);
      }
    });
  });
  data.position = change.position;
  data.now = Date.now() / 1000;
}
