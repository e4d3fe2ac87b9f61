// The C++ wrapper alone, as C++17 with every warning an error.
#include "ctconv/ctconv.hpp"

int main() { return 0; }
