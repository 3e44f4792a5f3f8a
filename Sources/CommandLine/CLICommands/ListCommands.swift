import ArgumentParser
import NodeModel

/// `roost ps`: lists vGPUs.
struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ps",
        abstract: "List the vGPUs and what runs on them.",
        discussion: """
            VRAM is what programs use and the limit, COMPUTE the share of the device, UTIL the part of the last second \
            in which work ran. PIDS are the processes that use the vGPU. A dash means that the worker did not answer \
            in time.

            EXAMPLES
              roost ps
              roost ps -o json | jq '.[].id'
            """)

    @OptionGroup var state: StateOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let report = try state.report()
        try output.write(json: report.vgpus, table: NodeTables.vgpus(report.vgpus).text)
    }
}

/// `roost devices`: lists devices.
struct DevicesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "devices",
        abstract: "List the devices of this machine and how much of them is taken.",
        discussion: """
            EXAMPLES
              roost devices
              roost devices -o json
            """)

    @OptionGroup var state: StateOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let report = try state.report()
        try output.write(json: report.devices, table: NodeTables.devices(report.devices).text)
    }
}
