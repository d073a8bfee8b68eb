// Shifts by more than the bits there are: the undefined-behaviour sanitizer must report it.
int main(int count, char**) {
  return (1 << (count + 31)) == 42 ? 1 : 0;
}
