import ArgumentParser
import Configuration
import Control

/// Wrong usage of a command that is only found while it runs: ends the process with exit code 2.
struct WrongUsage: Error {
    let sentence: String
    let command: any ParsableCommand.Type

    /// With the usage of the command.
    var message: String {
        let name = command.configuration.commandName ?? ""
        return """
            Error: \(sentence)
            Usage: \(Limpet.usageString(for: command))
              See 'limpet \(name) --help' for more information.
            """
    }
}

/// Ends the process with exit code 1 and one sentence on standard error.
struct Failure: Error, CustomStringConvertible {
    let description: String
    /// Whether it is printed as it is, without "Error: " before it.
    let isPlain: Bool

    init(_ sentence: String) {
        description = sentence
        isPlain = false
    }

    /// Every mistake on a line of its own, and below several of them how many there are.
    init(_ refusal: ConfigurationRefusal, consequence: String) {
        let errors = refusal.diagnostics.count { $0.severity == .error }
        description = "\(refusal)" + (errors > 1 ? "\n\(errors) errors: \(consequence)" : "")
        isPlain = true
    }
}
