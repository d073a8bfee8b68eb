# cmake -D KIND=… -D SOURCE=… -D BINARY=… -D PREFIX=… -D COMPILER=… -D FLAGS=… -D ARGUMENTS=… -P consume.cmake
# Builds and runs one consumer project. KIND: find_package/<component>, subdirectory, fetch_content, pkg_config/<name>.
cmake_minimum_required(VERSION 3.25)
set(here ${SOURCE}/tests/consumers)
file(REMOVE_RECURSE ${BINARY})
file(MAKE_DIRECTORY ${BINARY})

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY WORKING_DIRECTORY ${BINARY})
endfunction()

cmake_path(GET KIND FILENAME variant)
if(KIND MATCHES "^pkg_config/")
  set(ENV{PKG_CONFIG_PATH} ${PREFIX}/lib/pkgconfig:$ENV{PKG_CONFIG_PATH})
  execute_process(COMMAND pkg-config --cflags --libs ${variant} OUTPUT_VARIABLE flags COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(flags UNIX_COMMAND "${flags}")
  separate_arguments(FLAGS UNIX_COMMAND "${FLAGS}")
  run(${COMPILER} -std=c++20 ${FLAGS} ${here}/main.cpp -o ${BINARY}/consumer ${flags})
else()
  cmake_path(GET KIND PARENT_PATH project)
  if(NOT project)
    set(project ${KIND})
  endif()
  run(${CMAKE_COMMAND} -S ${here}/${project} -B ${BINARY} -DCMAKE_CXX_COMPILER=${COMPILER} "-DCMAKE_CXX_FLAGS=${FLAGS}"
    -DCMAKE_PREFIX_PATH=${PREFIX} -DCOMPONENT=${variant} -DLAYERSCOPE_SOURCE=${SOURCE}
    -DFETCHCONTENT_SOURCE_DIR_LAYERSCOPE=${SOURCE} -DCMAKE_BUILD_TYPE=None ${ARGUMENTS})
  run(${CMAKE_COMMAND} --build ${BINARY} --target consumer)
endif()
run(${BINARY}/consumer ${BINARY}/run)
file(GLOB_RECURSE pictures ${BINARY}/run/*.png)
if(NOT pictures)
  message(FATAL_ERROR "the consumer wrote no picture")
endif()
