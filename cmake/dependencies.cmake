# Finds what layerscope builds on: an installed package first, else the sources at a pinned commit. Fetched libraries
# are used as headers through an imported target, so that no build or install rules of theirs run.
include(FetchContent)

# A project that adds this one as a subdirectory must see the imported targets that ours link.
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)

find_package(Threads REQUIRED)

# layerscope_fetch_headers(<target> <name> <repository> <commit> <include folder>)
function(layerscope_fetch_headers target name repository commit folder)
  if(NOT LAYERSCOPE_FETCH)
    message(FATAL_ERROR "layerscope: ${name} was not found and LAYERSCOPE_FETCH is OFF; install it or allow the fetch")
  endif()
  message(STATUS "layerscope: ${name} is not installed; fetching ${commit}")
  FetchContent_Declare(${name} GIT_REPOSITORY ${repository} GIT_TAG ${commit} SOURCE_SUBDIR its-own-build-is-not-run)
  FetchContent_MakeAvailable(${name})
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  set_property(TARGET ${target} PROPERTY INTERFACE_INCLUDE_DIRECTORIES ${${name}_SOURCE_DIR}/${folder})
endfunction()

if(NOT TARGET Eigen3::Eigen)
  find_package(Eigen3 3.4 QUIET CONFIG)
endif()
if(NOT TARGET Eigen3::Eigen)
  layerscope_fetch_headers(Eigen3::Eigen eigen
    https://gitlab.com/libeigen/eigen.git 3147391d946bb4b6c68edd901f2add6ac1f31f8c "")  # 3.4.0
endif()

if(NOT TARGET nlohmann_json::nlohmann_json)
  find_package(nlohmann_json 3.11 QUIET CONFIG)
endif()
if(NOT TARGET nlohmann_json::nlohmann_json)
  layerscope_fetch_headers(nlohmann_json::nlohmann_json nlohmann_json
    https://github.com/nlohmann/json.git 9cca280a4d0ccf0c08f47a99aa71d1b0e52f8d03 include)  # 3.11.3
endif()

if(NOT TARGET Stb::stb)
  find_package(Stb QUIET MODULE)
endif()
if(NOT TARGET Stb::stb)
  layerscope_fetch_headers(Stb::stb stb
    https://github.com/nothings/stb.git 8b5f1f37b5b75829fc72d38e7b5d4bcbf8a26d55 "")  # 2022-09-08, image_write 1.16
endif()

# layerscope_find_optional(<LIBRARY> <package> <target> [MODULE|CONFIG]) sets layerscope_has_<LIBRARY>.
function(layerscope_find_optional library package target)
  set(has FALSE)
  if(NOT LAYERSCOPE_WITH_${library} STREQUAL "OFF")
    if(LAYERSCOPE_WITH_${library} STREQUAL "AUTO")
      find_package(${package} QUIET ${ARGN})
    else()
      find_package(${package} REQUIRED ${ARGN})
    endif()
    if(TARGET ${target})
      set(has TRUE)
    endif()
  endif()
  set(layerscope_has_${library} ${has} PARENT_SCOPE)
  set(layerscope_target_${library} ${target} PARENT_SCOPE)
  message(STATUS "layerscope: ${package}: ${has}")
endfunction()

layerscope_find_optional(ZLIB ZLIB ZLIB::ZLIB)
layerscope_find_optional(LIBDEFLATE Libdeflate Libdeflate::libdeflate MODULE)

# libtorch is used by the tests and the examples only; who includes adapters/torch.hpp brings it along. Debian's 1.13
# cannot be compiled as C++20 by clang.
set(layerscope_has_TORCH FALSE)
if(LAYERSCOPE_BUILD_TESTS OR LAYERSCOPE_BUILD_EXAMPLES OR LAYERSCOPE_BUILD_BENCHMARKS)
  if(LAYERSCOPE_WITH_TORCH STREQUAL "AUTO" AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    message(STATUS "layerscope: Torch: skipped, its headers need g++")
  elseif(NOT LAYERSCOPE_WITH_TORCH STREQUAL "OFF")
    if(LAYERSCOPE_WITH_TORCH STREQUAL "AUTO")
      find_package(Torch QUIET)
    else()
      find_package(Torch REQUIRED)
    endif()
    if(Torch_FOUND)
      set(layerscope_has_TORCH TRUE)
      # The package's own target, without the language standard and the ABI flag that it would force on us.
      add_library(layerscope_torch INTERFACE)
      target_include_directories(layerscope_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
      target_link_libraries(layerscope_torch INTERFACE ${TORCH_LIBRARIES})
    endif()
    message(STATUS "layerscope: Torch: ${layerscope_has_TORCH}")
  endif()
endif()
