import ArgumentParser

/// Ends the process with exit code 1 and one sentence on standard error.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ sentence: String) {
        description = sentence
    }
}
