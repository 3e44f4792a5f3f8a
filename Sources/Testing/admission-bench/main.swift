// Prints what admission costs with 100,000 requests and workloads, as `name value unit`.
for (teams, name) in [(10, "110-projects"), (100, "1100-projects")] {
    var bench = AdmissionBench(teams: teams, requests: 100_000)
    bench.run(name)
}
