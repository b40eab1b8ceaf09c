import Foundation
import LimpetTestKit

/// What a command said, and how it ended.
struct CommandOutcome: Sendable {
    /// Nil: it did not end in time.
    let end: ChildProcess.End?
    private(set) var output: String
    let errors: String
    let seconds: Double

    /// Runs one of the program to its end. Blocks.
    init(of arguments: [String], environment: [String: String] = [:], within limit: Double = 60) throws {
        try self.init(running: [LimpetProgram.path()] + arguments, environment: environment, within: limit)
    }

    /// Runs any to its end: the path of an executable, and its arguments. Blocks.
    init(running command: [String], environment: [String: String] = [:], within limit: Double = 60) throws {
        let log = FileManager.default.temporaryDirectory
            .appendingPathComponent("limpet-command-\(UInt64.random(in: 0 ... .max))").path
        let begin = ContinuousClock.now
        let process = try ChildProcess(command, environment: environment, log: log)
        end = process.waitForEnd(within: limit)
        seconds = (ContinuousClock.now - begin) / .seconds(1)
        process.kill()
        let paths = [process.outputPath, process.errorPath]
        defer { for path in paths { try? FileManager.default.removeItem(atPath: path) } }
        (output, errors) = (try TextFile.read(paths[0]), try TextFile.read(paths[1]))
    }

    /// The same, with another name for a place in what it said.
    func calling(_ path: String, _ name: String) -> CommandOutcome {
        var outcome = self
        outcome.output = output.replacingOccurrences(of: path, with: name)
        return outcome
    }
}
