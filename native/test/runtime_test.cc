// Threads, memory, files and the queue of commands: what a sanitizer should watch at work.

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <thread>

#include "../runtime/available_memory.h"
#include "../runtime/commands.h"
#include "../runtime/executor.h"
#include "../runtime/mapped_file.h"
#include "../runtime/read_ahead.h"
#include "tests.h"

namespace gptoss::testing {

void test_pool(Report& report) {
  for (size_t threads : {1, 2, 3, 5}) {
    Pool pool(threads);
    std::vector<size_t> done(pool.size());
    std::vector<size_t> seen(1000);
    for (size_t job = 0; job < 300; job++) {
      // Plain memory on purpose: a job, a barrier and the end of a job must each make writes visible.
      Ranges ranges(seen.size(), 3, 6, pool.size());
      size_t total = 0;
      pool.run([&](size_t thread) {
        for (size_t first, last; ranges.next(&first, &last);)
          for (size_t i = first; i < last; i++) seen[i] = job + i;
        done[thread] = job;
        pool.barrier();
        if (thread == pool.size() - 1) total = std::accumulate(seen.begin(), seen.end(), size_t{0});
        pool.barrier();
        if (thread == 0) total++;
      });
      report.expect(total == 1000 * job + 999 * 500 + 1, "every piece is done before the barrier ends");
      for (size_t at : done) report.expect(at == job, "every thread does every job");
      if (job % 100 == 99) std::this_thread::sleep_for(std::chrono::milliseconds(5));  // so that threads fall asleep
    }
  }
  for (size_t round = 0; round < 50; round++) Pool(3).run([](size_t) {});
}

void test_memory(Report& report) {
  std::atomic<int64_t> counter{0};
  {
    Arena arena(&counter);
    for (size_t round = 0; round < 20; round++) {
      arena.reset();
      for (size_t i = 0; i < 50; i++) {
        char* piece = arena.take_array<char>(i * 3000);
        report.expect(reinterpret_cast<uintptr_t>(piece) % 64 == 0, "scratch is aligned");
        std::memset(piece, 1, i * 3000);
      }
    }
    TensorMemory memory(&counter);
    for (size_t i = 0; i < 100; i++) {
      Buffer buffer = memory.take(1 + i * 50000);
      std::memset(buffer.data(), 1, 1 + i * 50000);
      memory.give_back(std::move(buffer));
    }
    report.expect(counter > 0, "memory is counted");
  }
  report.expect(counter == 0, "memory is given back");

  const std::string path = "/tmp/gptoss-native-test-" + std::to_string(getpid());
  std::ofstream(path) << "0123456789";
  const auto code = [&](const std::string& file, uint64_t offset, uint64_t bytes) -> std::string {
    MappedFiles files;
    try {
      const MappedRange range = files.map(file, offset, bytes);
      return std::string(range.data, range.data + range.bytes);
    } catch (const Failure& failure) {
      return failure.code;
    }
  };
  report.expect(code(path, 3, 4) == "3456", "a range of a file");
  report.expect(code(path, 3, 8) == "checkpoint/truncated", "a range past the end");
  report.expect(code(path, UINT64_MAX, 2) == "checkpoint/truncated", "a range that wraps");
  report.expect(code("/nowhere/at all", 0, 1) == "checkpoint/io", "a file that is not there");
  std::ofstream(path, std::ios::trunc).close();
  report.expect(code(path, 0, 0) == "checkpoint/truncated", "an empty file");
  std::remove(path.c_str());
}

void test_available_memory(Report& report) {
  const std::filesystem::path root = "/tmp/gptoss-native-test-root-" + std::to_string(getpid());
  const auto write = [&](const std::string& file, const std::string& text) {
    std::filesystem::create_directories((root / file).parent_path());
    std::ofstream(root / file) << text;
  };
  const auto is = [&](size_t bytes, const char* what) { report.expect(available_memory(root) == bytes, what); };
  is(SIZE_MAX, "nothing is known");
  write("proc/meminfo", "MemTotal:       16000 kB\nMemFree:         1000 kB\nMemAvailable:    8000 kB\n");
  is(8000 * 1024, "what the system has");
  write("sys/fs/cgroup/memory.max", "max\n");
  is(8000 * 1024, "a container without a limit");
  write("sys/fs/cgroup/memory.max", "5000000\n");
  is(5000000, "a container's limit");
  write("proc/self/cgroup", "0::/user.slice/job\n");
  write("sys/fs/cgroup/user.slice/job/memory.max", "4000000\n");
  is(4000000, "a control group's limit");
  write("proc/self/cgroup", "9:cpu:/\n4:memory:/job\n");
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "3000000\n");
  is(3000000, "a limit of the older control groups");
  std::filesystem::remove_all(root);
}

namespace {

using Words = std::vector<int32_t>;

Words command(Op op, Words arguments) {
  Words words = {static_cast<int32_t>(op), static_cast<int32_t>(arguments.size())};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

/// A table of 4 rows of 40: row i is full of i.
MatrixSource table_source(const std::vector<float>& values) {
  return {{"", 0, reinterpret_cast<const uint8_t*>(values.data()), values.size() * 4}, Storage::kF32, 4, 40, false};
}

/// What a read reports after `words`: a failure's code, or the tensor's first value.
std::string outcome(Executor& executor, const Words& words, int32_t tensor, size_t values) {
  std::atomic<bool> is_done{false};
  std::string result;
  executor.post([&](Engine& engine) { engine.run(words.data(), words.size()); });
  executor.post([&](Engine& engine) {
    std::vector<float> out(values);
    try {
      if (const std::optional<Failure> failure = engine.take_failure()) throw *failure;
      engine.read(tensor, out.data());
      result = std::to_string(out[0]);
    } catch (const Failure& failure) {
      result = failure.code;
    }
    is_done.store(true, std::memory_order_release);
  });
  while (!is_done.load(std::memory_order_acquire)) std::this_thread::yield();
  return result;
}

}  // namespace

void test_executor(const Kernels& kernels, Report& report) {
  std::vector<float> values(160);
  for (size_t i = 0; i < values.size(); i++) values[i] = static_cast<float>(i / 40);
  {
    Executor executor(kernels, 3);
    executor.post([&](Engine& engine) { engine.load(0, table_source(values)); });
    report.expect(outcome(executor, command(Op::kEmbed, {0, 0, 2, 3, 1}), 0, 80) == "3.000000", "a command's result");
    report.expect(outcome(executor, command(Op::kAdd, {1, 0, 0}), 1, 80) == "6.000000", "commands see earlier ones");
    report.expect(outcome(executor, command(Op::kAdd, {2, 0, 77}), 2, 80) == "backend/out-of-memory", "an unknown id");
    report.expect(outcome(executor, command(Op::kGather, {2, 0}), 2, 80) == "base/assert", "a command cut short");
    report.expect(outcome(executor, command(Op::kEmbed, {3, 0, -1}), 3, 80) == "base/assert", "a negative size");
    report.expect(outcome(executor, command(static_cast<Op>(99), {1}), 1, 80) == "base/assert", "an unknown command");
    report.expect(outcome(executor, command(Op::kFree, {2}), 1, 80) == "6.000000", "failures are reported once");

    // Several threads post; each sees its own commands in order.
    std::vector<std::thread> threads;
    std::atomic<size_t> wrong{0};
    for (int32_t t = 0; t < 4; t++) {
      threads.emplace_back([&, t] {
        for (int32_t i = 0; i < 50; i++) {
          const int32_t id = 10 + t;
          const std::string got = outcome(executor, command(Op::kEmbed, {id, 0, 1, (t + i) % 4}), id, 40);
          if (got != std::to_string(static_cast<float>((t + i) % 4))) wrong++;
          executor.post([id](Engine& engine) {
            const Words words = command(Op::kFree, {id});
            engine.run(words.data(), words.size());
          });
          if (executor.bytes() < 0) wrong++;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    report.expect(wrong == 0, "threads that post do not disturb each other");
    outcome(executor, {}, 1, 80);
    executor.post([](Engine& engine) { engine.clear(); });
    report.expect(outcome(executor, {}, 1, 80) == "backend/out-of-memory", "nothing is left after clear");
    report.expect(executor.bytes() == 0, text("all memory is given back, not %lld", (long long)executor.bytes()));
  }
  // Going away in the middle of work.
  for (size_t round = 0; round < 20; round++) {
    Executor executor(kernels, 2);
    executor.post([&](Engine& engine) { engine.load(0, table_source(values)); });
    for (int32_t i = 0; i < 100; i++) {
      executor.post([i](Engine& engine) {
        const Words words = command(Op::kEmbed, {i, 0, 4, 0, 1, 2, 3});
        engine.run(words.data(), words.size());
      });
    }
    if (round % 2 == 0) executor.abandon();
  }
  report.expect(true, "abandoned");
}

/// A weight of a file is rounded to 8 bits when there is time, or when it is used: the result is the same.
void test_late_weights(const Kernels& kernels, Report& report) {
  const size_t rows = 200, cols = 96;
  std::vector<float> weight(rows * cols), table(cols);
  for (size_t i = 0; i < weight.size(); i++) weight[i] = static_cast<float>(i * 7919 % 1000) / 500 - 1;
  for (size_t i = 0; i < cols; i++) table[i] = static_cast<float>(i % 13) - 6;
  const std::string path = "/tmp/gptoss-native-weights-" + std::to_string(getpid());
  const auto bytes = [](const std::vector<float>& v) { return reinterpret_cast<const uint8_t*>(v.data()); };
  std::ofstream(path).write(reinterpret_cast<const char*>(weight.data()), static_cast<std::streamsize>(weight.size() * 4));
  const auto result = [&](const Source& source, std::chrono::milliseconds wait) {
    Executor executor(kernels, 2);
    executor.post([&](Engine& engine) {
      engine.load(0, MatrixSource{{"", 0, bytes(table), cols * 4}, Storage::kF32, 1, cols, false});
      engine.load(1, MatrixSource{source, Storage::kF32, rows, cols, true});
    });
    std::this_thread::sleep_for(wait);
    outcome(executor, command(Op::kEmbed, {0, 0, 1, 0}), 0, cols);
    return outcome(executor, command(Op::kLinear, {1, 0, 1, -1}), 1, rows);
  };
  const Source in_file = {path, 0, nullptr, weight.size() * 4}, in_memory = {"", 0, bytes(weight), weight.size() * 4};
  const std::string want = result(in_memory, std::chrono::milliseconds(0));
  report.expect(result(in_file, std::chrono::milliseconds(0)) == want, "a weight used at once");
  report.expect(result(in_file, std::chrono::milliseconds(100)) == want, "a weight used later");

  for (size_t round = 0; round < 20; round++) {
    ReadAhead ahead;
    MappedFiles files;
    for (size_t at = 0; at < 64; at += 4) ahead.add(files.map(path, at * at, 4));
    if (round % 2 == 0) ahead.stop();
    if (round % 3 == 0) ahead.add(files.map(path, 1, weight.size() * 4 - 1));
  }
  report.expect(true, "reading ahead ends whenever it is asked to");
  std::remove(path.c_str());
}

}  // namespace gptoss::testing
