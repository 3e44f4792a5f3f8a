import CLICommands

RoostCommand.runCommandLine()
