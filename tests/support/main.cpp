// The main function of the test programs under Catch2 2; with Catch2 3 it comes from the library.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
