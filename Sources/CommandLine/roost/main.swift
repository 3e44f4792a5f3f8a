import CLICommands

await RoostCommand.runCommandLine()
