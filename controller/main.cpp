// `rowlock`: what can be said is in controller/cli, one file for each verb.
#include "controller/cli/all_verbs.h"
#include "controller/cli/command_line.h"

int main(int count, char** words) {
  rowlock::CommandLine line;
  rowlock::add_all_verbs(line.verbs());
  return line.main(count, words);
}
