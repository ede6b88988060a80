// What programs usually do with children, in the words of tokio's documentation.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

fn me(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(crate::roles::AS_CHILD).arg(role).stdin(Stdio::null());
    command
}

async fn echo(stdin: &mut ChildStdin, stdout: &mut ChildStdout, word: &str) -> std::io::Result<String> {
    stdin.write_all(word.as_bytes()).await?;
    stdin.flush().await?;
    let mut answer = vec![0; word.len()];
    stdout.read_exact(&mut answer).await?;
    Ok(String::from_utf8(answer).unwrap())
}

async fn lines(mut child: Child) -> std::io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    while let Some(line) = lines.next_line().await? {
        found.push(line);
    }
    let status = child.wait().await?;
    found.push(format!("{:?}", status.code()));
    Ok(found)
}

pub(crate) async fn ordinary() -> Vec<String> {
    run().await.expect("ordinary programs")
}

async fn run() -> std::io::Result<Vec<String>> {
    let mut found = Vec::new();

    let status = me("exit").arg("3").status().await?;
    found.push(format!("{:?} {}", status.code(), status.success()));

    let output = me("args").args(["a b", "c\"d"]).env("X", "y").env_remove("Z").current_dir("/").output().await?;
    found.push(format!("{:?} {:?} {}", output.stdout, output.stderr, output.status.success()));

    let child = me("both").arg("3000").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let output = child.wait_with_output().await?;
    found.push(format!("{} {}", output.stdout.len(), output.stderr.len()));

    let mut child = me("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    found.push(format!("{} {}", child.id().is_some(), child.stderr.is_none()));
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    found.push(echo(&mut stdin, &mut stdout, "hello").await?);
    drop(stdin);
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).await?;
    found.push(format!("{rest:?} {:?} {:?}", child.wait().await?.code(), child.id()));

    found.extend(lines(me("by_turns").arg("5").stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?).await?);

    let mut child = me("sleep").arg("60000").spawn()?;
    found.push(format!("{:?}", child.try_wait()?));
    tokio::select! {
        status = child.wait() => found.push(format!("{status:?}")),
        () = tokio::time::sleep(Duration::from_millis(50)) => {
            child.start_kill()?;
            found.push(format!("{}", child.wait().await?.success()));
        }
    }
    found.push(format!("{:?}", child.try_wait()?.map(|status| status.success())));

    let mut child = me("sleep").arg("60000").spawn()?;
    child.kill().await?;
    found.push(format!("{:?}", child.id()));
    let timed_out = tokio::time::timeout(Duration::from_millis(50), me("sleep").arg("300").status()).await;
    found.push(format!("{}", timed_out.is_err()));

    let error = Command::new("anonpipe-no-such-program").spawn().unwrap_err();
    found.push(format!("{:?}", error.kind()));

    let joined = tokio::spawn(async { me("say").arg("from a task").output().await }).await.unwrap()?;
    found.push(String::from_utf8_lossy(&joined.stdout).into_owned());
    Ok(found)
}
