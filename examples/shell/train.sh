#!/bin/sh
# Descends a parabola with the given step size: x starts at 3, and the best x is 1.
step=$1
momentum=$2
awk -v step="$step" -v momentum="$momentum" 'BEGIN {
  x = 3; velocity = 0
  for (epoch = 1; epoch <= 10; epoch++) {
    velocity = momentum * velocity - step * 2 * (x - 1)
    x += velocity
    printf "epoch=%d loss=%.6f\n", epoch, (x - 1) * (x - 1)
  }
}'
