// Finding the hand that makes a step, by kind and step.
#include "controller/reconciler.h"

namespace rowlock {

const Hand* hand_of(const Reconcilers& reconcilers, const Step& step) {
  const auto kind = reconcilers.find(step.kind);
  if (kind == reconcilers.end()) return nullptr;
  for (const Hand& hand : kind->second) {
    if (hand.step == step.step) return &hand;
  }
  return nullptr;
}

}  // namespace rowlock
