const t=performance.now(); const m=await import(process.argv[2]); console.log(process.argv[2].replace(/.*speed/,''), (performance.now()-t).toFixed(0)+' ms');
