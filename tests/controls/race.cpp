// Two threads write one int without order: the thread sanitizer must report it.
#include <thread>

int main() {
  int shared = 0;
  std::thread other([&shared] { ++shared; });
  ++shared;
  other.join();
  return shared - shared;
}
