# What a user of the build can set.
option(LAYERSCOPE_BUILD_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(LAYERSCOPE_BUILD_EXAMPLES "Build the examples" ${PROJECT_IS_TOP_LEVEL})
option(LAYERSCOPE_BUILD_TOOLS "Build the command-line tool layerscope" ${PROJECT_IS_TOP_LEVEL})
option(LAYERSCOPE_BUILD_BENCHMARKS "Build the benchmarks" ${PROJECT_IS_TOP_LEVEL})
option(LAYERSCOPE_INSTALL "Create install rules" ${PROJECT_IS_TOP_LEVEL})
option(LAYERSCOPE_FETCH "Fetch required libraries that are not installed, each at a pinned commit" ON)
option(LAYERSCOPE_FAST_MATH "Let -ffast-math among the flags reach layerscope::compiled, as it reaches header-only use" OFF)
option(LAYERSCOPE_WERROR "Treat warnings of the project's own code as errors" OFF)

foreach(library IN ITEMS ZLIB LIBDEFLATE TORCH)
  set(LAYERSCOPE_WITH_${library} AUTO CACHE STRING "Use the library: AUTO (when found), ON (required) or OFF")
  set_property(CACHE LAYERSCOPE_WITH_${library} PROPERTY STRINGS AUTO ON OFF)
endforeach()

set(default_data_dir "")
if(IS_DIRECTORY ${PROJECT_SOURCE_DIR}/../shared/data)
  cmake_path(ABSOLUTE_PATH PROJECT_SOURCE_DIR NORMALIZE OUTPUT_VARIABLE default_data_dir)
  cmake_path(GET default_data_dir PARENT_PATH default_data_dir)
  string(APPEND default_data_dir "/shared/data")
endif()
set(LAYERSCOPE_DATA_DIR "${default_data_dir}" CACHE PATH "Real data that tests, examples and benchmarks read; may be empty")

set(LAYERSCOPE_TEST_MODE header_only CACHE STRING "Mode that the tests use the library in: header_only or compiled")
set_property(CACHE LAYERSCOPE_TEST_MODE PROPERTY STRINGS header_only compiled)
set(LAYERSCOPE_TEST_FILTER "" CACHE STRING "Regular expression: only unit tests whose path under tests/ matches are built")
option(LAYERSCOPE_REQUIRE_ADAPTERS "Fail where the library of an adapter is missing, instead of leaving its test out" OFF)
option(LAYERSCOPE_TEST_HEADERS "Compile every header alone as part of the build" OFF)
option(LAYERSCOPE_TEST_PROJECT "Run the checks of the project as a whole: hygiene, consumers, examples" ON)

if(PROJECT_IS_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
  endif()
  set(CMAKE_CXX_EXTENSIONS OFF)
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

  # Linked by everything that is compiled here; a consumer's own flags are a consumer's business.
  add_library(layerscope_warnings INTERFACE)
  target_compile_options(layerscope_warnings INTERFACE -Wall -Wextra -Wconversion -Wshadow
    $<$<BOOL:${LAYERSCOPE_WERROR}>:-Werror>)
endif()
